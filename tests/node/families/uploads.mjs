import assert from 'node:assert/strict';
import { textFile } from '../reading.mjs';

export const resources = ['uploads'];

export async function drive(client) {
  const { uploads } = client;
  const described = { filename: 'a.txt', purpose: 'user_data', mime_type: 'text/plain' };
  const upload = await uploads.create({ ...described, bytes: 10 });
  const parts = [];
  for (const text of ['01234', '56789']) {
    parts.push((await uploads.parts.create(upload.id, { data: await textFile(text) })).id);
  }
  const done = await uploads.complete(upload.id, { part_ids: parts });
  assert.equal(done.status, 'completed');
  assert.equal(await (await client.files.content(done.file.id)).text(), '0123456789');
  const given = await uploads.create({ ...described, bytes: 1 });
  assert.equal((await uploads.cancel(given.id)).status, 'cancelled');
}
