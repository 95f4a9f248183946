// An agent on Vercel's AI SDK with its telemetry switched on and a model that has one answer: node vercel_ai.cjs
// PROTOCOL ENDPOINT COMPRESSION.
'use strict';

const { generateText } = require('ai');
const { MockLanguageModelV3 } = require('ai/test');
const { providers } = require('./telemetry.cjs');

const [protocol, endpoint, compression] = process.argv.slice(2);
const { tracing, end } = providers(protocol, endpoint, compression);

async function main() {
  const model = new MockLanguageModelV3({
    doGenerate: async () => ({
      content: [{ type: 'text', text: 'The capital of France is Paris.' }],
      finishReason: { unified: 'stop', raw: 'stop' },
      usage: { inputTokens: { total: 10 }, outputTokens: { total: 8 } },
      warnings: [],
    }),
  });
  const { text } = await generateText({
    model,
    prompt: 'What is the capital of France?',
    experimental_telemetry: { isEnabled: true, functionId: 'capitals', tracer: tracing.getTracer('ai') },
  });
  await end();
  console.log(text);
}

main();
