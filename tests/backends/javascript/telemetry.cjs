// The plain SDK set-up of the senders in this folder: all three signals by one protocol of OTLP.
'use strict';

const { resourceFromAttributes } = require('@opentelemetry/resources');
const { NodeTracerProvider, BatchSpanProcessor } = require('@opentelemetry/sdk-trace-node');
const { LoggerProvider, BatchLogRecordProcessor } = require('@opentelemetry/sdk-logs');
const { MeterProvider, PeriodicExportingMetricReader } = require('@opentelemetry/sdk-metrics');

const PACKAGES = { grpc: 'grpc', 'http/json': 'http', 'http/protobuf': 'proto' };

// The exporter of a signal ("trace", "logs", "metrics") by a protocol, to an endpoint without a path.
function exporter(signal, protocol, endpoint, compression) {
  const module = require(`@opentelemetry/exporter-${signal}-otlp-${PACKAGES[protocol]}`);
  const Exporter = module[{ trace: 'OTLPTraceExporter', logs: 'OTLPLogExporter', metrics: 'OTLPMetricExporter' }[signal]];
  const path = { trace: '/v1/traces', logs: '/v1/logs', metrics: '/v1/metrics' }[signal];
  return new Exporter({ url: protocol === 'grpc' ? endpoint : endpoint + path, compression });
}

// Providers of all signals, and what ends them when everything is sent.
function providers(protocol, endpoint, compression) {
  const resource = resourceFromAttributes({ 'service.name': 'javascript' });
  const make = (signal) => exporter(signal, protocol, endpoint, compression);
  const batches = { maxExportBatchSize: 2000, maxQueueSize: 20000 };
  const tracing = new NodeTracerProvider({ resource, spanProcessors: [new BatchSpanProcessor(make('trace'), batches)] });
  tracing.register(); // spans begun inside another become its children
  const processor = new BatchLogRecordProcessor({ exporter: make('logs') });
  const logging = new LoggerProvider({ resource, processors: [processor] });
  const reader = new PeriodicExportingMetricReader({ exporter: make('metrics'), exportIntervalMillis: 600000 });
  const metering = new MeterProvider({ resource, readers: [reader] });
  const end = () => Promise.all([tracing, logging, metering].map((provider) => provider.shutdown()));
  return { tracing, logging, metering, end };
}

module.exports = { providers };
