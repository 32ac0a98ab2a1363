// What several families need: lists and streams read to their end, and small files.

import { toFile } from 'openai';

export async function all(iterable) {
  const found = [];
  for await (const item of await iterable) found.push(item);
  return found;
}

export async function ids(list) {
  return (await all(list)).map((item) => item.id);
}

export const sim = (switches) => ({ headers: { 'x-sim': switches } });

export const textFile = (text, name = 'text.jsonl') => toFile(Buffer.from(text), name);

const PIXEL =
  '89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8ffff3f0005' +
  'fe02fea7355a810000000049454e44ae426082';

export const picture = () => toFile(Buffer.from(PIXEL, 'hex'), 'pixel.png', { type: 'image/png' });

// Silence of so many seconds, 16,000 bytes each, the head of the file among them.
export function sound(seconds) {
  const wave = Buffer.alloc(16_000 * seconds);
  wave.write('RIFF', 0);
  wave.writeUInt32LE(wave.length - 8, 4);
  wave.write('WAVEfmt ', 8);
  wave.writeUInt32LE(16, 16);
  wave.writeUInt16LE(1, 20);
  wave.writeUInt16LE(1, 22);
  wave.writeUInt32LE(8_000, 24);
  wave.writeUInt32LE(16_000, 28);
  wave.writeUInt16LE(2, 32);
  wave.writeUInt16LE(16, 34);
  wave.write('data', 36);
  wave.writeUInt32LE(wave.length - 44, 40);
  return toFile(wave, 'silence.wav', { type: 'audio/wav' });
}
