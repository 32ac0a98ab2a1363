// Structured answers, as the SDK's own helper for a JSON schema makes them.

import { makeParseableResponseFormat, makeParseableTextFormat } from 'openai/lib/parser';

const schema = { type: 'object', properties: { answer: { type: 'string' } } };

export const chatFormat = makeParseableResponseFormat(
  { type: 'json_schema', json_schema: { name: 'it', schema } },
  JSON.parse,
);
export const textFormat = makeParseableTextFormat({ type: 'json_schema', name: 'it', schema }, JSON.parse);
