import assert from 'node:assert/strict';
import { ids, sim, textFile } from '../reading.mjs';

export const resources = ['evals'];

export async function drive(client) {
  const { evals } = client;
  const { runs } = evals;
  const check = { type: 'string_check', name: 'same', input: '{{item.a}}', operation: 'eq', reference: 'a' };
  const score = { type: 'score_model', name: 'score', model: 'gpt-4o-mini', input: [{ role: 'user', content: 'Rate' }] };
  const described = {
    name: 'one',
    data_source_config: { type: 'custom', item_schema: { type: 'object' }, include_sample_schema: true },
  };
  const made = await evals.create({ ...described, testing_criteria: [check, score] });
  assert.deepEqual(await ids(evals.list()), [made.id]);
  assert.equal((await evals.update(made.id, { name: 'two' })).name, 'two');
  assert.equal((await evals.retrieve(made.id)).name, 'two');

  const source = {
    type: 'completions',
    model: 'gpt-4o',
    source: { type: 'file_content', content: [{ item: { a: 'a' } }, { item: { a: 'b' } }] },
    input_messages: { type: 'template', template: [{ role: 'user', content: 'Say {{item.a}}' }] },
    sampling_params: { max_completion_tokens: 50 },
  };
  const within = { eval_id: made.id };
  const run = await runs.create(made.id, { data_source: source });
  const done = await runs.retrieve(run.id, within);
  assert.deepEqual([done.result_counts.passed, done.result_counts.failed], [1, 1]);
  const items = await ids(runs.outputItems.list(run.id, within));
  const item = await runs.outputItems.retrieve(items[0], { ...within, run_id: run.id });
  assert.equal(item.sample.usage.completion_tokens, 8);

  const file = await client.files.create({ file: await textFile('{"item": {"a": "a"}}'), purpose: 'evals' });
  const read = await runs.create(made.id, { data_source: { type: 'jsonl', source: { type: 'file_id', id: file.id } } });
  assert.equal((await runs.retrieve(read.id, within)).result_counts.passed, 1);
  const slow = await runs.create(made.id, { data_source: source }, sim('finish=60000'));
  assert.equal((await runs.cancel(slow.id, within)).status, 'canceled');
  assert.equal((await ids(runs.list(made.id))).length, 3);

  // One that is deleted before anybody saw what it used must cost nothing here, so that sums can agree.
  const other = await evals.create({ ...described, testing_criteria: [check] });
  const given = await runs.create(other.id, { data_source: { type: 'jsonl', source: { type: 'file_id', id: file.id } } });
  assert((await runs.delete(given.id, { eval_id: other.id })).deleted);
  assert((await evals.delete(other.id)).deleted);
}
