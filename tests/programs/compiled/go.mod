module example.com/compiled

go 1.18
