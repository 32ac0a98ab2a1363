import assert from 'node:assert/strict';

export const resources = ['moderations'];

export async function drive(client) {
  const judged = await client.moderations.create({ input: ['A river', 'flag me'] });
  assert.deepEqual(judged.results.map((result) => result.flagged), [false, true]);
}
