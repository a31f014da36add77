module example.com/optimised

go 1.18
