// Sends spans, log records and metrics with values of all kinds: node all_values.cjs PROTOCOL ENDPOINT COMPRESSION.
// Prints the ids of the spans that it sent.
'use strict';

const { SpanKind, SpanStatusCode, trace } = require('@opentelemetry/api');
const { SeverityNumber } = require('@opentelemetry/api-logs');
const { providers } = require('./telemetry.cjs');

const MANY = 5000;
const [protocol, endpoint, compression] = process.argv.slice(2);
const { tracing, logging, metering, end } = providers(protocol, endpoint, compression);

const VALUES = {
  text: 'grüße 🙂 \u{1F468}\u200d\u{1F469}',
  'text.empty': '',
  'text.lone.surrogate': 'cut \ud83d',
  'text.nul': 'a\0b',
  integer: 42,
  'integer.large': Number.MAX_SAFE_INTEGER,
  'integer.negative': -7,
  double: 0.1,
  yes: true,
  no: false,
  texts: ['a', 'b'],
  numbers: [1, 2.5],
  flags: [true, false],
  none: [],
};

async function main() {
  const tracer = tracing.getTracer('all-values', '1.0');
  const ids = [];
  const root = tracer.startSpan('root', { kind: SpanKind.SERVER, attributes: VALUES });
  const { traceId, spanId } = root.spanContext();
  root.addEvent('event', { text: '🙂' });
  root.addLink({ context: { traceId, spanId, traceFlags: 1 }, attributes: { link: 1 } });
  root.setStatus({ code: SpanStatusCode.ERROR, message: 'broken' });
  const inside = trace.setSpan(require('@opentelemetry/api').ROOT_CONTEXT, root);
  for (let number = 0; number < MANY; number += 1) {
    const span = tracer.startSpan(`step ${number}`, { attributes: { number } }, inside);
    ids.push(span.spanContext().spanId);
    span.end();
  }
  root.end();
  const logger = logging.getLogger('all-values');
  const body = { nested: { list: [1, 'two', { three: 3 }], none: null }, bytes: new Uint8Array([0, 255]) };
  logger.emit({ body, severityNumber: SeverityNumber.INFO, attributes: VALUES, context: inside });
  logger.emit({ body: 'plain 🙂', eventName: 'an.event', context: inside });
  const meter = metering.getMeter('all-values');
  meter.createCounter('counted').add(3, { kind: 'a' });
  meter.createHistogram('measured').record(0.25);
  await end();
  console.log(JSON.stringify({ root: spanId, trace: traceId, steps: ids }));
}

main();
