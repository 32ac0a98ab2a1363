import assert from 'node:assert/strict';
import { all, ids, sim } from '../reading.mjs';

export const resources = ['beta.assistants', 'beta.threads'];

const quickly = { pollIntervalMs: 10 };
const acting = sim('tokens=8;requires_action=1');
const tool = {
  type: 'function',
  function: { name: 'get_weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } },
};

function outputs(run) {
  const calls = run.required_action.submit_tool_outputs.tool_calls;
  return { thread_id: run.thread_id, tool_outputs: calls.map(({ id }) => ({ tool_call_id: id, output: 'rain' })) };
}

export async function drive(client) {
  const { assistants, threads } = client.beta;
  const { messages, runs } = threads;
  const made = await assistants.create({ model: 'gpt-4o-mini', name: 'one', tools: [tool] });
  const assistant_id = made.id;
  assert.deepEqual(await ids(assistants.list()), [made.id]);
  assert.equal((await assistants.update(made.id, { name: 'two' })).name, 'two');
  assert.equal((await assistants.retrieve(made.id)).name, 'two');

  const thread = await threads.create({ messages: [{ role: 'user', content: 'Hello' }] });
  const within = { thread_id: thread.id };
  assert.equal((await threads.update(thread.id, { metadata: { for: 'node' } })).metadata.for, 'node');
  assert.equal((await threads.retrieve(thread.id)).id, thread.id);
  const said = await messages.create(thread.id, { role: 'user', content: 'And?' });
  await messages.update(said.id, { ...within, metadata: { a: 'b' } });
  assert.equal((await messages.retrieve(said.id, within)).metadata.a, 'b');
  assert.equal((await ids(messages.list(thread.id))).length, 2);
  assert((await messages.delete(said.id, within)).deleted);

  const run = await runs.create(thread.id, { assistant_id });
  const done = await runs.retrieve(run.id, within);
  assert.equal(done.usage.completion_tokens, 8);
  await runs.update(run.id, { ...within, metadata: { a: 'b' } });
  const [step] = await ids(runs.steps.list(run.id, within));
  assert.equal((await runs.steps.retrieve(step, { ...within, run_id: run.id })).type, 'message_creation');
  assert.equal((await runs.poll(run.id, within, quickly)).status, 'completed');
  assert.equal((await runs.createAndPoll(thread.id, { assistant_id }, quickly)).status, 'completed');
  const slow = await runs.create(thread.id, { assistant_id }, sim('finish=60000'));
  assert.equal((await runs.cancel(slow.id, within)).status, 'cancelled');

  const asking = await runs.createAndPoll(thread.id, { assistant_id }, { ...quickly, ...acting });
  assert.equal(asking.status, 'requires_action');
  await runs.submitToolOutputs(asking.id, outputs(asking));
  const again = await runs.createAndPoll(thread.id, { assistant_id }, { ...quickly, ...acting });
  assert.equal((await runs.submitToolOutputsAndPoll(again.id, outputs(again), quickly)).status, 'completed');
  assert.equal((await runs.retrieve(asking.id, within)).status, 'completed');

  const asked = runs.stream(thread.id, { assistant_id }, acting);
  const answered = runs.submitToolOutputsStream((await asked.finalRun()).id, outputs(await asked.finalRun()));
  assert.equal((await answered.finalMessages()).length, 1);
  await runs.createAndStream(thread.id, { assistant_id }).finalRun();
  assert.equal((await ids(runs.list(thread.id))).length, 7);

  const events = await all(threads.createAndRun({ assistant_id, stream: true }));
  assert.equal(events.at(-1).event, 'thread.run.completed');
  assert.equal((await threads.createAndRunPoll({ assistant_id }, quickly)).status, 'completed');
  await threads.createAndRunStream({ assistant_id }).finalRun();
  assert((await threads.delete(thread.id)).deleted);
  assert((await assistants.delete(made.id)).deleted);
}
