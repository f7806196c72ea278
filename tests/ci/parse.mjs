// GitHub's own parser on workflows and actions: node parse.mjs FOLDER FILE... says what is wrong, a line each.
// FOLDER holds node_modules. The parser's modules import JSON as bundlers let them, and node does not: a hook does.
import {readFileSync} from 'node:fs';
import {register} from 'node:module';
import {basename, resolve} from 'node:path';
import {pathToFileURL} from 'node:url';

const hook = `import {readFile} from 'node:fs/promises';
export async function load(url, context, next) {
  if (!url.endsWith('.json')) return next(url, context);
  return {format: 'module', shortCircuit: true, source: 'export default ' + await readFile(new URL(url), 'utf8')};
}`;
register('data:text/javascript,' + encodeURIComponent(hook));

const [folder, ...files] = process.argv.slice(2);
const from = (name) => import(pathToFileURL(resolve(folder, 'node_modules/@actions/workflow-parser/dist', name)));
const {parseWorkflow, convertWorkflowTemplate, NoOperationTraceWriter} = await from('index.js');
const {parseAction, convertActionTemplate} = await from('actions/index.js');

for (const name of files) {
  const file = {name, content: readFileSync(name, 'utf8')};
  const isAction = basename(name) === 'action.yml';
  const {context, value} = (isAction ? parseAction : parseWorkflow)(file, new NoOperationTraceWriter());
  const made = value && (isAction ? convertActionTemplate(context, value) : await convertWorkflowTemplate(context, value));
  const wrong = context.errors.getErrors().map((one) => one.message);
  const steps = isAction ? made?.runs?.steps : made?.jobs?.flatMap((job) => job.steps);
  if (!wrong.length && !steps?.length) wrong.push(`${name}: it has no steps`);
  for (const line of wrong) console.log(line);
}
