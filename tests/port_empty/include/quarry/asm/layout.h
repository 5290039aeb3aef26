/* layout.h - a port that supplies nothing: what the library then misses is the contract. */
