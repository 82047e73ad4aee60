// Package config reads what users configure.
//
// There are two forms. Flat is a suricata.yaml, looked up by Suricata's own
// dotted names, with its loader's habits (sequences as numbered keys, include
// files, values set on the command line); Stock is what applies when there is no
// such file. File (mirador.go) is Mirador's own mirador.yaml: one typed
// structure, strict, with positions in its errors. Both end in the typed Engine
// (engine.go) and the outputs (outputs.go) that the sensor is built from.
//
// Configuration is read at start and at reload only; values are not changed
// afterwards and are safe for concurrent reading.
package config
