import assert from 'node:assert/strict';
import { ids } from '../reading.mjs';

export const resources = ['videos'];
export const refused = ['videos.createCharacter', 'videos.getCharacter', 'videos.edit', 'videos.extend'];

export async function drive(client) {
  const { videos } = client;
  const made = await videos.create({ model: 'sora-2', prompt: 'A cat', seconds: '4', size: '720x1280' });
  assert.equal((await videos.retrieve(made.id)).status, 'completed');
  const remixed = await videos.remix(made.id, { prompt: 'A dog' });
  assert.equal((await videos.retrieve(remixed.id)).remixed_from_video_id, made.id);
  assert.deepEqual(await ids(videos.list()), [remixed.id, made.id]);
  assert((await (await videos.downloadContent(made.id)).arrayBuffer()).byteLength > 0);
  assert((await videos.delete(made.id)).deleted);
  await assert.rejects(async () => videos.retrieve(made.id), { status: 404 });
}
