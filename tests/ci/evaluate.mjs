// GitHub's own evaluator: node evaluate.mjs FOLDER < {"expressions": […], "github": {…}} says [true, false, …].
import {readFileSync} from 'node:fs';
import {resolve} from 'node:path';
import {pathToFileURL} from 'node:url';

const at = resolve(process.argv[2], 'node_modules/@actions/expressions/dist/index.js');
const {Lexer, Parser, Evaluator, data} = await import(pathToFileURL(at));
const {expressions, github} = JSON.parse(readFileSync(0, 'utf8'));
const known = (value) => JSON.parse(JSON.stringify(value), data.reviver);
const context = new data.Dictionary({key: 'github', value: known(github)}, {key: 'inputs', value: known({})});

const truths = expressions.map((text) => {
  const tree = new Parser(new Lexer(text.replace(/^\s*\$\{\{|\}\}\s*$/g, '')).lex().tokens, ['github', 'inputs'], []).parse();
  const found = new Evaluator(tree, context).evaluate();
  return found.kind === data.Kind.Boolean ? found.value : found.coerceString() !== '';
});
console.log(JSON.stringify(truths));
