import assert from 'node:assert/strict';
import { ids } from '../reading.mjs';

export const resources = ['models'];

export async function drive(client) {
  assert((await ids(client.models.list())).includes('gpt-4o-mini'));
  assert.equal((await client.models.retrieve('gpt-4o-mini')).id, 'gpt-4o-mini');
  await assert.rejects(async () => client.models.delete('gpt-4o-mini'), ({ status }) => [403, 404].includes(status));
}
