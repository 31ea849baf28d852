// Loads a bundle with transformers.js and generates greedily from prepared inputs.
//
//     node transformersjs.mjs PACKAGE_DIR BUNDLE_DIR DTYPE JOBS_JSON
//
// JOBS_JSON: [{name, steps, tensors: {name: {type, dims, data}}}]; prints {"name": [ids, …], …}.

import { readFileSync } from "node:fs";
import { dirname, basename, join } from "node:path";
import { pathToFileURL } from "node:url";

const [packageDir, bundleDir, dtype, jobsFile] = process.argv.slice(2);
const entry = join(packageDir, "node_modules/@huggingface/transformers/dist/transformers.node.mjs");
const { Gemma4ForConditionalGeneration, Tensor, env } = await import(pathToFileURL(entry));

env.allowRemoteModels = false;
env.localModelPath = dirname(bundleDir);

const ARRAYS = {
  int64: (data) => BigInt64Array.from(data, BigInt),
  float32: (data) => Float32Array.from(data),
  bool: (data) => Uint8Array.from(data),
};

const tensor = ({ type, dims, data }) => new Tensor(type, ARRAYS[type](data), dims);

const model = await Gemma4ForConditionalGeneration.from_pretrained(basename(bundleDir), { dtype, device: "cpu" });
const found = {};
for (const { name, steps, tensors } of JSON.parse(readFileSync(jobsFile))) {
  const inputs = Object.fromEntries(Object.entries(tensors).map(([key, value]) => [key, tensor(value)]));
  // No id ends a generation: the reference does not stop either.
  const out = await model.generate({ ...inputs, max_new_tokens: steps, do_sample: false, eos_token_id: [-1] });
  const prompt = tensors.input_ids.data.length;
  found[name] = Array.from(out.data.slice(prompt), Number);
}
console.log(JSON.stringify(found));
