import assert from 'node:assert/strict';
import { all, picture } from '../reading.mjs';

export const resources = ['images'];

export async function drive(client) {
  const { images } = client;
  const asked = { model: 'gpt-image-1', prompt: 'A white pixel', size: '1024x1024', quality: 'low' };
  const made = await images.generate({ ...asked, n: 2 });
  assert.equal(made.data.length, 2);
  assert.equal(made.usage.output_tokens, 8);
  const events = await all(images.generate({ ...asked, stream: true, partial_images: 2 }));
  assert.deepEqual(events.map((event) => event.type), [
    'image_generation.partial_image',
    'image_generation.partial_image',
    'image_generation.completed',
  ]);
  const edited = await images.edit({ ...asked, image: [await picture(), await picture()] });
  assert(edited.usage.input_tokens_details.image_tokens > 0);
  const older = { model: 'dall-e-2', size: '256x256' };
  assert.equal((await images.generate({ ...older, prompt: 'A cat', n: 2 })).data.length, 2);
  assert.equal((await images.createVariation({ ...older, image: await picture() })).data.length, 1);
}
