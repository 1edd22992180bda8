'use strict';
// Packs what is published, into dist/: the package itself, which is JavaScript alone, and one with the addon for each platform
// that is named; this one unless told otherwise. Whoever installs the first gets the one of their platform with it, and needs no
// compiler.
//
//   npm run package                                for this machine
//   npm run package -- linux-x64 linux-arm64       for these; rustup must have their targets, and the machine a linker for them

const { execFileSync } = require('node:child_process');
const { cpSync, mkdirSync, rmSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');

const { build, here } = require('./build.cjs');
const own = require('./package.json');
const platforms = require('./platforms.json');

const dist = join(__dirname, 'dist');
const shared = { version: own.version, license: own.license, engines: own.engines };
const licences = ['LICENSE-APACHE', 'LICENSE-MIT'];

/** A folder becomes a tarball. */
function pack(folder, manifest) {
  for (const licence of licences) cpSync(join(__dirname, '..', '..', licence), join(folder, licence));
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  // On Windows npm is a script, which only a shell starts.
  execFileSync('npm', ['pack', '--silent', '--pack-destination', dist], { cwd: folder, stdio: 'inherit', shell: process.platform === 'win32' });
}

rmSync(dist, { recursive: true, force: true });
const names = process.argv.slice(2);
for (const name of names.length > 0 ? names : [here]) {
  const folder = join(dist, name);
  mkdirSync(folder, { recursive: true });
  build(name, join(folder, 'steadfast.node'));
  const { os, cpu, libc } = platforms[name];
  pack(folder, {
    name: `steadfast-node-${name}`,
    description: `The addon of steadfast-node for ${name}`,
    ...shared,
    main: 'steadfast.node',
    files: ['steadfast.node', ...licences],
    os: [os],
    cpu: [cpu],
    ...(libc && { libc: [libc] }),
  });
}

const folder = join(dist, 'steadfast-node');
for (const file of [...own.files, 'README.md']) cpSync(join(__dirname, file), join(folder, file), { recursive: true });
const { name, description, main, types, files } = own;
pack(folder, {
  name,
  description,
  ...shared,
  main,
  types,
  exports: own.exports,
  files: [...files, ...licences],
  optionalDependencies: Object.fromEntries(Object.keys(platforms).map((one) => [`steadfast-node-${one}`, own.version])),
});
