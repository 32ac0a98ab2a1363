import assert from 'node:assert/strict';
import { ids, sim, textFile } from '../reading.mjs';

export const resources = ['batches'];

export async function drive(client) {
  const { batches, files } = client;
  const lines = ['One', 'Two'].map((content, number) =>
    JSON.stringify({
      custom_id: String(number),
      method: 'POST',
      url: '/v1/chat/completions',
      body: { model: 'gpt-4o-mini', messages: [{ role: 'user', content }], max_completion_tokens: 30 },
    }),
  );
  const input = await files.create({ file: await textFile(lines.join('\n')), purpose: 'batch' });
  const asked = { input_file_id: input.id, endpoint: '/v1/chat/completions', completion_window: '24h' };
  const made = await batches.create(asked);
  const done = await batches.retrieve(made.id);
  assert.deepEqual([done.status, done.request_counts.completed], ['completed', 2]);
  const output = await (await files.content(done.output_file_id)).text();
  assert.equal(output.trim().split('\n').length, 2);
  const slow = await batches.create(asked, sim('finish=60000'));
  assert.equal((await batches.cancel(slow.id)).status, 'cancelling');
  assert.deepEqual(await ids(batches.list()), [slow.id, made.id]);
}
