// Drives families of the API with OpenAI's own SDK, and prints a line of JSON for each.
//
//   OPENAI_BASE_URL=http://127.0.0.1:9000/v1 OPENAI_API_KEY=any node run.mjs [family ...]
//
// CALLERS, a JSON object, may give each family a key of its own: {"chat": {"key": "sk-...", "id": "..."}}. Its
// requests carry the id as `x-client-request-id`.

import { readdirSync } from 'node:fs';
import OpenAI from 'openai';
import { methodsOf, recorded } from './surface.mjs';

const callers = JSON.parse(process.env.CALLERS ?? '{}');
const all = readdirSync(new URL('families', import.meta.url)).map((name) => name.replace('.mjs', ''));
const wanted = process.argv.length > 2 ? process.argv.slice(2) : all;

async function drive(family) {
  const { resources, refused = [], drive } = await import(`./families/${family}.mjs`);
  const caller = callers[family] ?? { key: process.env.OPENAI_API_KEY, id: family };
  const client = new OpenAI({
    apiKey: caller.key,
    maxRetries: 0,
    timeout: 30_000,
    defaultHeaders: { 'x-client-request-id': caller.id, 'x-sim': 'tokens=8' },
  });
  const called = new Set();
  await drive(recorded(client, called), caller.id);
  const left = methodsOf(client, resources).filter((name) => !called.has(name) && !refused.includes(name));
  if (left.length) throw new Error(`nobody calls ${left.join(', ')}`);
  return [...called];
}

for (const family of wanted) {
  try {
    console.log(JSON.stringify({ family, called: await drive(family) }));
  } catch (error) {
    console.log(JSON.stringify({ family, failed: String(error?.stack ?? error) }));
    process.exitCode = 1;
  }
}
