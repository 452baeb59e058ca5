package drbg

// getEntropy is only reached in FIPS 140-3 mode. Its stock version keeps a buffer
// of 32 MiB in .bss, which a small machine would pay for without using it.
func getEntropy() *[SeedSize]byte {
	panic("FIPS 140-3 mode is not supported")
}
