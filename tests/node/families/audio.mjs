import assert from 'node:assert/strict';
import { all, sound } from '../reading.mjs';

export const resources = ['audio.speech', 'audio.transcriptions', 'audio.translations'];

export async function drive(client) {
  const { speech, transcriptions, translations } = client.audio;
  const text = { input: 'The river is wide and slow in the summer.', voice: 'alloy' };
  const spoken = await speech.create({ ...text, model: 'gpt-4o-mini-tts', stream_format: 'sse' });
  assert((await spoken.text()).includes('speech.audio.done'));
  const older = await speech.create({ ...text, model: 'tts-1', response_format: 'wav' });
  assert.equal(older.headers.get('content-type'), 'audio/wav');
  await older.arrayBuffer();

  const heard = await transcriptions.create({ model: 'gpt-4o-transcribe', file: await sound(3) });
  assert.equal(heard.usage.output_tokens, 8);
  const deltas = await all(transcriptions.create({ model: 'gpt-4o-transcribe', file: await sound(2), stream: true }));
  assert.equal(deltas.at(-1).type, 'transcript.text.done');
  const timed = await transcriptions.create({ model: 'whisper-1', file: await sound(5) });
  assert.equal(timed.usage.seconds, 5);
  assert((await translations.create({ model: 'whisper-1', file: await sound(4) })).text);
}
