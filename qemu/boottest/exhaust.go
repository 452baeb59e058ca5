package boottest

// exhaustCases, like exhaust-64-mib among the others, let a
// program ask the kernel for too much of everything (userland/exhaust, which is
// its own judge): the kernel survives, a shell works meanwhile, and everything
// comes back.
var exhaustCases = []Case{
	{
		Name: "exhaust-million-files", Memory: 512,
		Program: []string{"exhaust", "million-files"},
	}, {
		Name: "exhaust-at-the-prompt", Memory: 64, // the user's own shell goes on afterwards
		Dialogue: []Line{{prompt, "exhaust mappings files memory fork-bomb && echo sur''vived\r"},
			{"\nsurvived\r\n.*" + prompt, "exit\r"}},
	}, {
		Name: "exhaust-48-mib", Memory: 48, Long: true,
		Program: []string{"exhaust"},
	}, {
		Name: "exhaust-512-mib", Memory: 512, Long: true,
		Program: []string{"exhaust"},
	}, {
		Name: "exhaust-by-garbage", Memory: 64, Long: true,
		Program: []string{"exhaust", "churn=400"},
	},
}
