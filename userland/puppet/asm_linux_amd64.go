package puppet

// dance comes to the mark, again and again.
func dance()

// mark is the mark; only dance goes there.
func mark()
