// Symbol.dispose for browsers that lack it; imported before any class that names it.
if (!Symbol.dispose) Object.defineProperty(Symbol, "dispose", { value: Symbol("Symbol.dispose") });
export {};
