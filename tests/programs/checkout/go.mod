module example.com/checkout

go 1.18

require (
	example.com/Third v1.0.0
	example.com/lib v0.0.0
)

replace example.com/lib => ./staging/src/example.com/lib
