;; A template without its parser.
(component
  (instance $nothing)
  (export "lapidary:plugin/template@0.1.0" (instance $nothing)))
