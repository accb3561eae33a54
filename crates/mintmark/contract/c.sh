curl -X GET "https://control.printprice.pro/api/admin/tenants" \
-H "Authorization: Bearer ${PPOS_CONTROL_TOKEN}" \
-H "Content-Type: application/json"
