import assert from 'node:assert/strict';
import { ids, textFile } from '../reading.mjs';

export const resources = ['containers'];

export async function drive(client) {
  const { containers } = client;
  const { files } = containers;
  const made = await containers.create({ name: 'one' });
  const within = { container_id: made.id };
  assert.deepEqual(await ids(containers.list()), [made.id]);
  assert.equal((await containers.retrieve(made.id)).name, 'one');
  const put = await files.create(made.id, { file: await textFile('The river is wide') });
  assert.equal((await files.retrieve(put.id, within)).bytes, 17);
  assert.equal(await (await files.content.retrieve(put.id, within)).text(), 'The river is wide');
  assert.deepEqual(await ids(files.list(made.id)), [put.id]);
  await files.delete(put.id, within);
  await containers.delete(made.id);
  await assert.rejects(async () => containers.retrieve(made.id), { status: 404 });
}
