import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { OpenAIRealtimeWS } from 'openai/realtime/ws';

export const resources = ['realtime', 'beta.realtime'];
export const refused = ['realtime.translations.clientSecrets.create'];

const model = 'gpt-realtime';

// The SDK speaks Realtime over TLS alone, which is not ours to end.
const plainly = ({ host, port }) => connect(port, host);

// What a response used, in a session of its own.
async function talked(client, id) {
  const headers = { 'x-client-request-id': id, 'x-sim': 'tokens=8' };
  const talk = new OpenAIRealtimeWS({ model, options: { headers, createConnection: plainly } }, client);
  const failed = new Promise((_, reject) => talk.on('error', reject));
  failed.catch(() => {}); // also when nobody waits any more
  const next = (type) => Promise.race([failed, new Promise((resolve) => talk.on(type, resolve))]);
  const done = next('response.done');
  await next('session.created');
  talk.send({
    type: 'conversation.item.create',
    item: { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Hello' }] },
  });
  talk.send({ type: 'response.create' });
  const { response } = await done;
  const closed = once(talk.socket, 'close');
  talk.close();
  await closed;
  return response.usage;
}

export async function drive(client, id) {
  assert.equal((await talked(client, id)).output_tokens, 8);
  const { calls, clientSecrets } = client.realtime;
  const session = { type: 'realtime', model };
  const secret = await clientSecrets.create({ session });
  assert.equal((await talked({ apiKey: secret.value, baseURL: client.baseURL }, id)).output_tokens, 8);
  const beta = client.beta.realtime;
  assert((await beta.sessions.create({ model })).client_secret.value.startsWith('ek_'));
  assert((await beta.transcriptionSessions.create({})).client_secret.value.startsWith('ek_'));

  const newCall = async () => {
    const made = await calls.create({ sdp: 'v=0', session });
    assert((await made.text()).startsWith('v=0'));
    return made.headers.get('location').split('/').at(-1);
  };
  const call = await newCall();
  await calls.accept(call, session);
  await calls.refer(call, { target_uri: 'tel:+33100000000' });
  await calls.hangup(call);
  await calls.reject(await newCall());
}
