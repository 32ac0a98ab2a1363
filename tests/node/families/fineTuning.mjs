import assert from 'node:assert/strict';
import { all, ids, sim, textFile } from '../reading.mjs';

export const resources = ['fineTuning'];
export const refused = [
  'fineTuning.checkpoints.permissions.create',
  'fineTuning.checkpoints.permissions.retrieve',
  'fineTuning.checkpoints.permissions.list',
  'fineTuning.checkpoints.permissions.delete',
  'fineTuning.alpha.graders.run',
  'fineTuning.alpha.graders.validate',
];

export async function drive(client) {
  const { jobs } = client.fineTuning;
  const messages = [
    { role: 'user', content: 'Hello' },
    { role: 'assistant', content: 'The river is wide' },
  ];
  const training = await client.files.create({
    file: await textFile(JSON.stringify({ messages })),
    purpose: 'fine-tune',
  });
  const asked = { model: 'gpt-4o-mini', training_file: training.id, hyperparameters: { n_epochs: 2 } };
  const made = await jobs.create(asked);
  const done = await jobs.retrieve(made.id);
  assert.equal(done.status, 'succeeded');
  assert((await all(jobs.listEvents(made.id))).length > 1);
  const [checkpoint] = await all(jobs.checkpoints.list(made.id));
  assert(checkpoint.fine_tuned_model_checkpoint.startsWith(done.fine_tuned_model));

  const model = done.fine_tuned_model;
  assert((await ids(client.models.list())).includes(model));
  const answer = await client.chat.completions.create({ model, messages: messages.slice(0, 1) });
  assert.equal(answer.model, model);
  assert((await client.models.delete(model)).deleted);

  const slow = await jobs.create(asked, sim('finish=60000'));
  assert.equal((await jobs.pause(slow.id)).status, 'paused');
  assert.equal((await jobs.resume(slow.id)).status, 'running');
  assert.equal((await jobs.cancel(slow.id)).status, 'cancelled');
  assert.deepEqual(await ids(jobs.list()), [slow.id, made.id]);
}
