import type { Server } from './server.ts';

/**
 * Remembers which methods each registered address answers to, for the `Allow` header of a 405: the router only says "no route".
 *
 * Call before any route is registered. The returned function looks a URL up; it runs only for requests that matched nothing.
 */
export function knownMethods(app: Server): (url: string) => string[] {
  const methodsByPattern = new Map<string, Set<string>>();
  app.addHook('onRoute', (route) => {
    // Short links match any two segments: they are visitors' addresses and say nothing about /v1/nothing.
    if (route.url.startsWith('/:')) return;
    const methods = methodsByPattern.get(route.url) ?? new Set<string>();
    for (const method of [route.method].flat()) methods.add(method);
    methodsByPattern.set(route.url, methods);
  });
  return (url) => {
    const parts = pathParts(url);
    const allowed = new Set<string>();
    for (const [pattern, methods] of methodsByPattern) {
      if (!matches(pathParts(pattern), parts)) continue;
      for (const method of methods) allowed.add(method);
    }
    return [...allowed].toSorted();
  };
}

function pathParts(url: string): string[] {
  return (url.split(/[?#]/, 1)[0] ?? '').split('/');
}

function matches(pattern: readonly string[], parts: readonly string[]): boolean {
  return (
    pattern.length === parts.length &&
    pattern.every((part, position) => part === parts[position] || (part.startsWith(':') && parts[position] !== ''))
  );
}
