"""Reading: a folder of YAML into the model of a dialect, and a QuickFIX dictionary into YAML.

`load` reads files, `schema` and `nodes` their shape, `resolve` what they mean together. It imports no other
package of codegen.
"""
