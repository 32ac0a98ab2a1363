import assert from 'node:assert/strict';
import { all } from '../reading.mjs';

export const resources = ['completions'];

export async function drive(client) {
  const asked = { model: 'gpt-3.5-turbo-instruct', prompt: ['One', 'Two'], n: 2 };
  const whole = await client.completions.create(asked);
  assert.equal(whole.choices.length, 4);
  assert.equal(whole.usage.completion_tokens, 32);
  const chunks = await all(client.completions.create({ ...asked, stream: true }));
  assert(chunks.every((chunk) => chunk.choices.length && !('usage' in chunk)));
}
