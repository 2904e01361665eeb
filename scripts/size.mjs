// Says how large the prebuilt frontend is, gzipped and without source maps; fails where it is too large.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const FOLDER = 'jupyter_mlops/labextension/static';
const LIMIT = 150_000;

const files = readdirSync(FOLDER, { recursive: true })
  .map(String)
  .filter(name => /\.(js|css)$/.test(name))
  .map(name => ({
    name,
    bytes: gzipSync(readFileSync(join(FOLDER, name))).length
  }))
  .sort((a, b) => b.bytes - a.bytes);
if (files.length === 0) {
  console.error(`Nothing is built in ${FOLDER}.`);
  process.exit(1);
}
const kilobytes = bytes => `${(bytes / 1000).toFixed(1)} kB`;
for (const { name, bytes } of files) {
  console.log(`${kilobytes(bytes).padStart(9)}  ${name}`);
}
const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
console.log(
  `${kilobytes(total).padStart(9)}  in all, gzipped; ${kilobytes(LIMIT)} are allowed`
);
if (total > LIMIT) {
  console.error('The prebuilt frontend is larger than it may be.');
  process.exit(1);
}
