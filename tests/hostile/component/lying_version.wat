;; Says that it is of our contract, with a function of another type.
(component
  (core module $m (func (export "definitions") (result i32) (i32.const 7)))
  (core instance $i (instantiate $m))
  (func $definitions (result u32) (canon lift (core func $i "definitions")))
  (instance $tools (export "definitions" (func $definitions)))
  (export "lapidary:plugin/tools@0.1.0" (instance $tools)))
