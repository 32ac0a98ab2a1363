import assert from 'node:assert/strict';
import { all, ids } from '../reading.mjs';

export const resources = ['conversations'];

export async function drive(client) {
  const { conversations } = client;
  const made = await conversations.create({ items: [{ role: 'user', content: 'One' }] });
  await client.responses.create({ model: 'gpt-4o-mini', input: 'Two', conversation: made.id });
  const [first, ...others] = await ids(conversations.items.list(made.id, { order: 'asc', limit: 2 }));
  assert.equal(others.length, 2);
  const added = await conversations.items.create(made.id, { items: [{ role: 'user', content: 'Three' }] });
  const item = await conversations.items.retrieve(added.data[0].id, { conversation_id: made.id });
  assert.equal(item.content[0].text, 'Three');
  await conversations.items.delete(first, { conversation_id: made.id });
  assert.equal((await all(conversations.items.list(made.id))).length, 3);
  assert.equal((await conversations.update(made.id, { metadata: { for: 'node' } })).metadata.for, 'node');
  assert.equal((await conversations.retrieve(made.id)).id, made.id);
  assert((await conversations.delete(made.id)).deleted);
  await assert.rejects(async () => conversations.retrieve(made.id), { status: 404 });
}
