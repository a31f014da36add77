module leaving

go 1.18
