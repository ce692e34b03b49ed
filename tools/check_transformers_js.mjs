// Loads a folder that `numpyclip export --layout transformers.js` has written with transformers.js itself, and prints
// what it makes of an image and of texts, as JSON:
//
//   npm install @huggingface/transformers
//   node tools/check_transformers_js.mjs FOLDER IMAGE TEXT...
//
// The package is looked for in $NODE_PATH, then from the current folder. tests/layouts/test_transformers_js.py runs
// this and compares with NumPyCLIP; docs/guides/export.md has the figures.

import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [folder, image, ...texts] = process.argv.slice(2);
const from = process.env.NODE_PATH ?? path.join(process.cwd(), 'node_modules');
const require = createRequire(path.join(from, '..', 'check.js'));
const library = await import(pathToFileURL(require.resolve('@huggingface/transformers')).href);
const transformers = library.default ?? library;

transformers.env.allowRemoteModels = false;
transformers.env.localModelPath = path.dirname(path.resolve(folder)) + path.sep;
const name = path.basename(folder);

const { model_type: kind } = await transformers.AutoConfig.from_pretrained(name);
const [TextModel, VisionModel, textOutput, imageOutput] = {
    clip: ['CLIPTextModelWithProjection', 'CLIPVisionModelWithProjection', 'text_embeds', 'image_embeds'],
    siglip: ['SiglipTextModel', 'SiglipVisionModel', 'pooler_output', 'pooler_output'],
}[kind];

const tokenizer = await transformers.AutoTokenizer.from_pretrained(name);
const tokens = tokenizer(texts, { padding: true, truncation: true });
const textModel = await transformers[TextModel].from_pretrained(name);
const textEmbeddings = (await textModel({ input_ids: tokens.input_ids }))[textOutput];

const processor = await transformers.AutoProcessor.from_pretrained(name);
const { pixel_values: pixels } = await processor(await transformers.RawImage.read(image));
const visionModel = await transformers[VisionModel].from_pretrained(name);
const imageEmbeddings = (await visionModel({ pixel_values: pixels }))[imageOutput];

const plain = ({ dims, data }) => ({ dims, data: Array.from(data, Number) });
const results = {
    version: transformers.env.version,
    input_ids: plain(tokens.input_ids),
    text_embeds: plain(textEmbeddings),
    pixel_values: plain(pixels),
    image_embeds: plain(imageEmbeddings),
};
console.log(JSON.stringify(results));
