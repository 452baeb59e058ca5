package judge

import "slices"

// Cases are all that can be judged.
var Cases = slices.Concat(pagingCases, gateCases, demandCases, forkCases, execCases, vforkCases, processCases)

// Lookup finds a case by its name; nil if there is none.
func Lookup(name string) *Case {
	i := slices.IndexFunc(Cases, func(c Case) bool { return c.Name == name })
	if i < 0 {
		return nil
	}
	return &Cases[i]
}
