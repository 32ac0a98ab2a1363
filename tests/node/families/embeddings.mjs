import assert from 'node:assert/strict';

export const resources = ['embeddings'];

export async function drive(client) {
  const asked = { model: 'text-embedding-3-small', input: ['One', 'Two'] };
  const whole = await client.embeddings.create(asked);
  const plain = await client.embeddings.create({ ...asked, encoding_format: 'float' });
  assert.equal(whole.usage.prompt_tokens, 2);
  whole.data[1].embedding.forEach((number, place) => {
    assert(Math.abs(number - plain.data[1].embedding[place]) < 1e-6);
  });
}
