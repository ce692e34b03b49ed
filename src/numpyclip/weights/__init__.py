"""FILE → ARRAYS: any checkpoint becomes names and arrays; known ones are downloaded first."""
