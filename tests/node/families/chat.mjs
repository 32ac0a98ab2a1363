import assert from 'node:assert/strict';
import { chatFormat } from '../formats.mjs';
import { all, ids } from '../reading.mjs';

export const resources = ['chat'];

const asked = { model: 'gpt-4o-mini', messages: [{ role: 'user', content: 'Say something' }] };
const weather = {
  name: 'get_weather',
  parameters: { type: 'object', properties: { city: { type: 'string' } } },
};
const obliged = { tools: [{ type: 'function', function: weather }], tool_choice: 'required' };

export async function drive(client) {
  const chats = client.chat.completions;
  const whole = await chats.create({ ...asked, n: 2 });
  assert.equal(whole.choices.length, 2);
  assert.equal(whole.usage.completion_tokens, 16);

  const chunks = await all(chats.create({ ...asked, n: 2, stream: true }));
  assert(chunks.every((chunk) => chunk.choices.length && !('usage' in chunk)));
  const counted = await all(chats.create({ ...asked, stream: true, stream_options: { include_usage: true } }));
  assert.equal(counted.at(-1).usage.completion_tokens, 8);

  const helped = chats.stream({ ...asked, ...obliged });
  assert.equal((await helped.finalChatCompletion()).choices[0].message.tool_calls[0].function.name, 'get_weather');
  const parsed = await chats.parse({ ...asked, response_format: chatFormat });
  assert.equal(parsed.choices[0].message.parsed.answer, parsed.choices[0].message.parsed.answer.trim());
  const run = chats.runTools({ ...asked, tools: [{ type: 'function', function: { ...weather, function: () => 'rain' } }] });
  assert(await run.finalContent());

  const stored = await chats.create({ ...asked, store: true, metadata: { for: 'node' } });
  assert.deepEqual(await ids(chats.list()), [stored.id]);
  assert.equal((await chats.retrieve(stored.id)).choices[0].message.content, stored.choices[0].message.content);
  assert.equal((await chats.update(stored.id, { metadata: { for: 'all' } })).metadata.for, 'all');
  assert.deepEqual((await all(chats.messages.list(stored.id))).map((message) => message.content), ['Say something']);
  assert((await chats.delete(stored.id)).deleted);
  await assert.rejects(async () => chats.retrieve(stored.id), { status: 404 });
}
