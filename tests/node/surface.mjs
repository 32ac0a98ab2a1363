// What the SDK offers, read from its resources, and what of it was called.

function isResource(value) {
  return value !== null && typeof value === 'object' && '_client' in value;
}

// Names of all methods below these resources, such as `chat.completions.create`.
export function methodsOf(client, resources) {
  const found = [];
  const walk = (resource, prefix) => {
    for (const name of Object.getOwnPropertyNames(Object.getPrototypeOf(resource))) {
      if (name !== 'constructor' && !name.startsWith('_') && typeof resource[name] === 'function') {
        found.push(prefix + name);
      }
    }
    for (const [name, value] of Object.entries(resource)) {
      if (name !== '_client' && isResource(value)) walk(value, `${prefix}${name}.`);
    }
  };
  for (const path of resources) {
    walk(path.split('.').reduce((holder, name) => holder[name], client), `${path}.`);
  }
  return found;
}

// The client, which notes in `called` whatever method of it is called.
export function recorded(client, called) {
  const watch = (holder, prefix) =>
    new Proxy(holder, {
      get(target, name) {
        const value = target[name];
        if (typeof name === 'symbol' || name.startsWith('_')) return value;
        if (isResource(value)) return watch(value, `${prefix}${name}.`);
        if (typeof value !== 'function') return value;
        return (...given) => {
          called.add(prefix + name);
          return value.apply(target, given);
        };
      },
    });
  return watch(client, '');
}
