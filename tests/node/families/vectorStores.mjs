import assert from 'node:assert/strict';
import { all, ids, textFile } from '../reading.mjs';

export const resources = ['vectorStores'];

const quickly = { pollIntervalMs: 10 };

export async function drive(client) {
  const { vectorStores } = client;
  const newFile = async () =>
    (await client.files.create({ file: await textFile('The river is wide'), purpose: 'assistants' })).id;
  const [first, second, third] = [await newFile(), await newFile(), await newFile()];
  const store = await vectorStores.create({ name: 'one', file_ids: [first] });
  assert.deepEqual(await ids(vectorStores.list()), [store.id]);
  assert.equal((await vectorStores.update(store.id, { name: 'two' })).name, 'two');
  assert.equal((await vectorStores.retrieve(store.id)).file_counts.completed, 1);

  const within = { vector_store_id: store.id };
  const { files, fileBatches } = vectorStores;
  await files.create(store.id, { file_id: second });
  await files.createAndPoll(store.id, { file_id: third }, quickly);
  assert.equal((await files.poll(store.id, third, quickly)).status, 'completed');
  const uploaded = await files.upload(store.id, await textFile('A small boat'));
  await files.uploadAndPoll(store.id, await textFile('A letter'), quickly);
  assert.equal((await ids(files.list(store.id, { limit: 2 }))).length, 5);
  assert.equal((await files.update(uploaded.id, { ...within, attributes: { a: 'b' } })).attributes.a, 'b');
  assert.equal((await files.retrieve(first, within)).id, first);
  assert.equal((await all(files.content(first, within)))[0].text, 'The river is wide');
  assert((await files.delete(second, within)).deleted);
  assert.equal((await all(vectorStores.search(store.id, { query: 'river' }))).length, 4);

  const batch = await fileBatches.create(store.id, { file_ids: [second] });
  assert.equal((await fileBatches.retrieve(batch.id, within)).id, batch.id);
  await fileBatches.poll(store.id, batch.id, quickly);
  await fileBatches.createAndPoll(store.id, { file_ids: [third] }, quickly);
  await fileBatches.uploadAndPoll(store.id, { files: [await textFile('A map')] }, quickly);
  assert.deepEqual(await ids(fileBatches.listFiles(batch.id, within)), [second]);
  await fileBatches.cancel(batch.id, within);
  assert((await vectorStores.delete(store.id)).deleted);
}
