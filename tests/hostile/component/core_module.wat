;; A module, which is what cargo makes without wasm-component-ld.
(module (func (export "render")))
