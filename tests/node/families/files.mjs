import assert from 'node:assert/strict';
import { ids, textFile } from '../reading.mjs';

export const resources = ['files'];

export async function drive(client) {
  const { files } = client;
  const made = await files.create({ file: await textFile('The river is wide'), purpose: 'user_data' });
  assert.equal(made.bytes, 17);
  const large = await files.create({ file: await textFile('x'.repeat(3_000_000)), purpose: 'user_data' });
  const listed = await ids(files.list());
  assert(listed.includes(made.id) && listed.includes(large.id));
  assert.equal((await files.retrieve(made.id)).filename, 'text.jsonl');
  assert.equal(await (await files.content(made.id)).text(), 'The river is wide');
  assert.equal((await (await files.content(large.id)).text()).length, 3_000_000);
  assert.equal((await files.waitForProcessing(made.id)).status, 'processed');
  assert((await files.delete(made.id)).deleted);
  await assert.rejects(async () => files.retrieve(made.id), { status: 404 });
}
