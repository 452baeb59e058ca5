/* A C program for GDB to stop in: some calls deep, then a write to address 8. */
#include <stdio.h>

int deep(int n)
{
	if (n > 0)
		return deep(n - 1) + 1;
	*(volatile int *)8 = 1;
	return 0;
}

int main(void)
{
	puts("going down");
	return deep(3);
}
