// Package token checks who connects: a JWT with HS256 in the Authorization header, if the environment has JWT_SECRET.
package token

import (
	"net/http"
	"os"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

var secret = []byte(os.Getenv("JWT_SECRET"))

// User is whose token the request carries; false: it is refused. Without a secret nobody needs one, and the id is "".
func User(r *http.Request) (string, bool) {
	if len(secret) == 0 {
		return "", true
	}
	claims := jwt.RegisteredClaims{}
	_, err := jwt.ParseWithClaims(
		strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), &claims,
		func(*jwt.Token) (any, error) { return secret, nil },
		jwt.WithValidMethods([]string{"HS256"}), jwt.WithExpirationRequired(),
	)
	return claims.Subject, err == nil && claims.Subject != ""
}
