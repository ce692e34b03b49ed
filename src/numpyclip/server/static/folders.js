// Names of folders in a list, in which each comes before those within it.

// Indent what is within another; the first ones have their whole path where another has the same name.
export function folderNames(paths) {
  const names = [], above = [], firsts = [];
  for (const path of paths) {
    while (above.length && !isWithin(path, above.at(-1))) above.pop();
    if (!above.length) firsts.push(names.length);
    names.push("\u00a0\u00a0\u00a0".repeat(above.length) + path.slice(above.at(-1)?.length ?? 0).replace(/^[\\/]/, ""));
    above.push(path);
  }
  const short = firsts.map(n => paths[n].split(separator(paths[n])).at(-1));
  firsts.forEach((n, place) => {
    names[n] = short.filter(name => name === short[place]).length > 1 || !short[place] ? paths[n] : short[place];
  });
  return names;
}

const separator = path => path.startsWith("/") ? "/" : "\\";
const isWithin = (path, folder) => path.startsWith(folder.endsWith(separator(folder)) ? folder : folder + separator(folder));
