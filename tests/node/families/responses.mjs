import assert from 'node:assert/strict';
import { textFormat } from '../formats.mjs';
import { all, sim } from '../reading.mjs';

export const resources = ['responses'];

const asked = { model: 'gpt-5.1', input: 'Say something' };

export async function drive(client) {
  const { responses } = client;
  const whole = await responses.create(asked, sim('tokens=8;reasoning=5'));
  assert.equal(whole.usage.output_tokens, 13);
  const events = await all(responses.create({ ...asked, stream: true }));
  assert.equal(events.at(-1).type, 'response.completed');
  assert.equal((await responses.stream(asked).finalResponse()).usage.output_tokens, 8);
  assert('answer' in (await responses.parse({ ...asked, text: { format: textFormat } })).output_parsed);

  assert.equal((await responses.retrieve(whole.id)).output_text, whole.output_text);
  const items = await all(responses.inputItems.list(whole.id));
  assert.equal(items[0].content[0].text, 'Say something');
  const next = await responses.create({ ...asked, previous_response_id: whole.id });
  assert(next.usage.input_tokens > whole.usage.input_tokens);
  const tools = [{ type: 'web_search' }];
  const searched = await responses.create({ ...asked, tools });
  assert.deepEqual(searched.output.map((item) => item.type), ['web_search_call', 'message']);

  assert((await responses.inputTokens.count(asked)).input_tokens > 0);
  assert.equal((await responses.compact(asked)).output.at(-1).type, 'compaction');

  const slow = { ...asked, background: true };
  const cancelled = await responses.create(slow, sim('finish=60000'));
  assert.equal((await responses.cancel(cancelled.id)).status, 'cancelled');
  const started = await responses.create(slow);
  const done = await responses.retrieve(started.id);
  assert.equal(done.status, 'completed');
  await responses.retrieve(started.id);

  await responses.delete(whole.id);
  await assert.rejects(async () => responses.retrieve(whole.id), { status: 404 });
}
